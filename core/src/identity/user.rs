//! Users.

use crate::actor::Role;
use crate::crypto::{Column, Sealed};
use crate::id::{SealId, UserId};
use crate::identity::PasswordHash;
use crate::time::Timestamp;
use crate::value::{ValueError, line, text_values, words};

text_values! {
    /// A person's name: 1 to 150 characters of any script.
    FullName = line 1..=150;
    /// A number to reach somebody by: at most 20 characters; not unique, not a login.
    ContactNumber = line 1..=20;
    /// A postal address: at most 500 characters.
    Address = line 1..=500;
}

/// An e-mail address. Two that differ in case only are the same.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email {
    shown: String,
    folded: String,
}

impl Email {
    /// The address, if it has the shape `local@domain`: at most 254 characters (RFC 5321), one
    /// `@` outside of the local part, no white space.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ValueError> {
        const WRONG: &str = "must be an email address";
        let shown = line(text.as_ref(), 3, 254)?;
        let (local, domain) = shown.rsplit_once('@').ok_or(ValueError::from(WRONG))?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part
                    .chars()
                    .any(|c| c.is_whitespace() || "@<>()[],;:\\\"".contains(c))
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.contains("..")
        };
        if !plain(local) || !plain(domain) || local.chars().count() > 64 || domain.contains('_') {
            return Err(WRONG.into());
        }
        Ok(Self::from_row(shown))
    }

    /// The address of a row that a store has read.
    #[must_use]
    pub fn from_row(shown: String) -> Self {
        let folded = shown.to_lowercase();
        Self { shown, folded }
    }

    /// The address as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The address in lower case: by this it is unique and looked up.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

/// A telephone number that is a login: unique, compared without spaces, dashes, dots and brackets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone {
    shown: String,
    folded: String,
}

impl Phone {
    /// The number, if it has 5 to 20 digits, a plus sign at most at its beginning, and nothing
    /// else but spaces, dashes, dots and brackets.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ValueError> {
        let number = Self::from_row(line(text.as_ref(), 1, 40)?);
        let digits = number.folded.strip_prefix('+').unwrap_or(&number.folded);
        if (5..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(number)
        } else {
            Err("must be a telephone number of 5 to 20 digits".into())
        }
    }

    /// The number of a row that a store has read.
    #[must_use]
    pub fn from_row(shown: String) -> Self {
        let folded = shown.chars().filter(|c| !" -.()[]".contains(*c)).collect();
        Self { shown, folded }
    }

    /// The number as its owner writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The number by which it is unique and looked up.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone(…)")
    }
}

words! {
    /// The language that somebody prefers.
    Language {
        /// Arabic.
        Arabic = "ar",
        /// English.
        English = "en",
    }
}

/// What somebody signs in with.
#[derive(Clone, PartialEq, Eq)]
pub enum LoginIdentifier {
    /// An e-mail address.
    Email(Email),
    /// A telephone number.
    Phone(Phone),
    /// Something that cannot be anybody's identifier. It is carried along so that its refusal
    /// costs the same as that of a wrong password, and is counted like one.
    Unknown(String),
}

impl LoginIdentifier {
    /// Reads what a person typed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Ok(email) = Email::new(text) {
            Self::Email(email)
        } else if let Ok(phone) = Phone::new(text) {
            Self::Phone(phone)
        } else {
            Self::Unknown(
                text.trim()
                    .chars()
                    .take(254)
                    .collect::<String>()
                    .to_lowercase(),
            )
        }
    }

    /// The text by which the account is looked up and failures are counted.
    #[must_use]
    pub fn folded(&self) -> &str {
        match self {
            Self::Email(email) => email.folded(),
            Self::Phone(phone) => phone.folded(),
            Self::Unknown(text) => text,
        }
    }
}

impl std::fmt::Debug for LoginIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginIdentifier(…)")
    }
}

/// Where [`StoredUser::address`] is sealed to.
pub(crate) const ADDRESS: Column = Column("users.address");

/// A user as rows keep it: what is free text is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUser {
    /// The id.
    pub id: UserId,
    /// The role.
    pub role: Role,
    /// The e-mail address, unique without regard to case.
    pub email: Option<Email>,
    /// The telephone number, unique, a login as the e-mail address is.
    pub phone: Option<Phone>,
    /// The language that texts are shown in.
    pub language: Option<Language>,
    /// The name.
    pub full_name: FullName,
    /// A number to reach the user by.
    pub contact_number: Option<ContactNumber>,
    /// Under what the row's texts are sealed.
    pub seal_id: SealId,
    /// The postal address, sealed.
    pub address: Option<Sealed>,
    /// Whether an administrator has verified the user.
    pub is_verified: bool,
    /// Whether the user may sign in and be booked for.
    pub is_active: bool,
    /// The last login.
    pub last_login: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A user as those see it who may.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The role.
    pub role: Role,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The telephone number, unique, a login as the e-mail address is.
    pub phone: Option<Phone>,
    /// The language that texts are shown in.
    pub language: Option<Language>,
    /// The name.
    pub full_name: FullName,
    /// A number to reach the user by.
    pub contact_number: Option<ContactNumber>,
    /// The postal address.
    pub address: Option<Address>,
    /// Whether an administrator has verified the user.
    pub is_verified: bool,
    /// Whether the user may sign in and be booked for.
    pub is_active: bool,
    /// The last login.
    pub last_login: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl StoredUser {
    /// The text by which the failed logins of the account's owner are counted: the e-mail
    /// address, else the telephone number.
    pub(crate) fn login_text(&self) -> &str {
        match (&self.email, &self.phone) {
            (Some(email), _) => email.folded(),
            (None, Some(phone)) => phone.folded(),
            (None, None) => "",
        }
    }

    /// The user with the opened address.
    pub(crate) fn opened(self, address: Option<String>) -> User {
        User {
            id: self.id,
            role: self.role,
            email: self.email,
            phone: self.phone,
            language: self.language,
            full_name: self.full_name,
            contact_number: self.contact_number,
            address: address.map(Address::from_row),
            is_verified: self.is_verified,
            is_active: self.is_active,
            last_login: self.last_login,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A user with what proves him.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: StoredUser,
    /// The hash of the password.
    pub password: PasswordHash,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_the_same_without_regard_to_case() {
        let one = Email::new(" Amal@Example.ORG ").unwrap();
        assert_eq!(one.as_str(), "Amal@Example.ORG");
        assert_eq!(one.folded(), "amal@example.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "", "a", "a@", "@b", "a b@c.d", "a@b@c", "a@b\0.c", ".a@b.c", "a..b@c.d", "a@b.",
        ] {
            assert!(Email::new(text).is_err(), "{text}");
        }
        assert!(Email::new(format!("{}@b.c", "x".repeat(300))).is_err());
    }

    #[test]
    fn debug_shows_no_person() {
        let shown = format!(
            "{:?} {:?}",
            Email::new("a@b.c").unwrap(),
            FullName::new("Amal").unwrap()
        );
        assert!(!shown.contains("a@b.c") && !shown.contains("Amal"));
    }
}
