//! The engine's opened keys: it wraps, opens, seals and remembers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use zeroize::Zeroizing;

use super::{Column, DataKey, Fingerprint, Sealed, TenantKeys, WrappedDataKey, keyed_hash};
use crate::env::{Entropy, lock};
use crate::error::{Code, Error};
use crate::id::{DataKeyId, SealId, UserId};
use crate::identity::IdentityStore;

/// How many open data keys are remembered: about a megabyte.
const REMEMBERED: usize = 10_000;

/// Tenant keys, the cache of open data keys, and the derived keys for fingerprints.
pub(crate) struct Vault {
    tenant: TenantKeys,
    fingerprint_key: Zeroizing<[u8; 32]>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    keys: HashMap<DataKeyId, DataKey>,
    of_user: HashMap<UserId, DataKeyId>,
}

impl Open {
    fn remember(&mut self, key: &DataKey) {
        if self.keys.len() >= REMEMBERED {
            self.keys.clear();
            self.of_user.clear();
        }
        self.keys.insert(key.id(), key.clone());
    }
}

impl Vault {
    pub(crate) fn new(tenant: TenantKeys) -> Self {
        let fingerprint_key = tenant.first().subkey("telemed/fingerprint");
        Self {
            tenant,
            fingerprint_key,
            open: Mutex::default(),
        }
    }

    pub(crate) fn tenant(&self) -> &TenantKeys {
        &self.tenant
    }

    /// The keyed fingerprint of some parts under a purpose.
    pub(crate) fn fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> Fingerprint {
        let mut all = vec![purpose.as_bytes()];
        all.extend_from_slice(parts);
        Fingerprint(keyed_hash(&self.fingerprint_key, &all))
    }

    /// Makes a data key for a new person.
    pub(crate) fn generate(
        &self,
        id: DataKeyId,
        entropy: &dyn Entropy,
    ) -> Result<(DataKey, WrappedDataKey), Error> {
        DataKey::generate(id, &self.tenant, entropy)
    }

    /// The data key with this id, from memory or from the store.
    pub(crate) async fn key(
        &self,
        store: &dyn IdentityStore,
        id: DataKeyId,
    ) -> Result<DataKey, Error> {
        if let Some(key) = lock(&self.open).keys.get(&id) {
            return Ok(key.clone());
        }
        let wrapped = store.data_keys(&[id]).await?;
        let wrapped = wrapped.first().ok_or_else(|| {
            Error::new(Code::Internal).message("the data key of a conversation is missing")
        })?;
        self.unwrapped(wrapped)
    }

    /// A key whose wrapped form was read.
    pub(crate) fn unwrapped(&self, wrapped: &WrappedDataKey) -> Result<DataKey, Error> {
        if let Some(key) = lock(&self.open).keys.get(&wrapped.id) {
            return Ok(key.clone());
        }
        let key = wrapped.unwrap_with(&self.tenant)?;
        lock(&self.open).remember(&key);
        Ok(key)
    }

    /// The data key of a user, from memory or from the store; `None` for an unknown user.
    pub(crate) async fn find_key_of_user(
        &self,
        store: &dyn IdentityStore,
        user: UserId,
    ) -> Result<Option<DataKey>, Error> {
        {
            let open = lock(&self.open);
            if let Some(key) = open.of_user.get(&user).and_then(|id| open.keys.get(id)) {
                return Ok(Some(key.clone()));
            }
        }
        let Some(wrapped) = store.data_key_of_user(user).await? else {
            return Ok(None);
        };
        let key = wrapped.unwrap_with(&self.tenant)?;
        let mut open = lock(&self.open);
        open.remember(&key);
        open.of_user.insert(user, key.id());
        Ok(Some(key))
    }

    /// The data key of a user who is there.
    pub(crate) async fn key_of_user(
        &self,
        store: &dyn IdentityStore,
        user: UserId,
    ) -> Result<DataKey, Error> {
        let found = self.find_key_of_user(store, user).await?;
        found.ok_or_else(|| Error::new(Code::Internal).message("a user has no data key"))
    }

    /// Opens the data keys of a whole page: those that came with it, and the rest with one
    /// look-up at most.
    pub(crate) async fn keys_of<'a>(
        &self,
        store: &dyn IdentityStore,
        sealed: impl Iterator<Item = &'a Sealed>,
        at_hand: &[WrappedDataKey],
    ) -> Result<OpenKeys, Error> {
        let mut keys = HashMap::new();
        let mut missing = BTreeSet::new();
        {
            let open = lock(&self.open);
            for id in sealed.filter_map(Sealed::data_key) {
                match open.keys.get(&id) {
                    Some(key) => drop(keys.insert(id, key.clone())),
                    None => drop(missing.insert(id)),
                }
            }
        }
        let mut open = |wrapped: &WrappedDataKey| {
            let key = wrapped.unwrap_with(&self.tenant)?;
            lock(&self.open).remember(&key);
            keys.insert(key.id(), key);
            Ok::<_, Error>(())
        };
        for wrapped in at_hand {
            if missing.remove(&wrapped.id) {
                open(wrapped)?;
            }
        }
        if !missing.is_empty() {
            let missing: Vec<DataKeyId> = missing.into_iter().collect();
            for wrapped in store.data_keys(&missing).await? {
                open(&wrapped)?;
            }
        }
        Ok(OpenKeys(keys))
    }
}

/// The open data keys of some rows.
pub(crate) struct OpenKeys(HashMap<DataKeyId, DataKey>);

impl OpenKeys {
    /// Opens a sealed text of a row.
    pub(crate) fn text(
        &self,
        sealed: Option<&Sealed>,
        column: Column,
        row: SealId,
    ) -> Result<Option<String>, Error> {
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let key = sealed
            .data_key()
            .and_then(|id| self.0.get(&id))
            .ok_or_else(|| {
                Error::new(Code::Internal).message("the data key of a sealed value is missing")
            })?;
        let bytes = sealed.open(key, column, row)?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::new(Code::Internal).message("a sealed text is not UTF-8"))
    }
}
