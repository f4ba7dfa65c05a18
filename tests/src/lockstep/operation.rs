//! What can happen in a step.
//!
//! Things are named by small numbers, so that steps meet: a user's number is his id, and most
//! numbers belong to something that earlier steps have made.

use telemed_core::actor::Role;
use telemed_core::calls::CallFilter;
use telemed_core::messaging::ReceiptKind;
use telemed_core::presence::PresenceStatus;
use telemed_core::scheduling::AppointmentStatus;

/// A step: something is done at a time, with or without a key.
#[derive(Clone, Debug)]
pub struct Step {
    /// How many minutes the clock moves before it.
    pub advance: i64,
    /// The idempotency key, for what takes one.
    pub key: Option<KeyUse>,
    /// What is done.
    pub operation: Operation,
}

/// An idempotency key and the request it is used for.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    /// Which key.
    pub key: u8,
    /// Which request: the same key with another one is a mismatch.
    pub request: u8,
}

/// A booking within a call.
#[derive(Clone, Debug)]
pub struct Booking {
    /// The patient.
    pub patient: i64,
    /// The doctor that is expected.
    pub doctor: Option<i64>,
    /// The key.
    pub key: Option<KeyUse>,
}

/// Slots to be published.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// Whether clinic and zone are those of the doctor; otherwise they are the first ones.
    pub is_settled: bool,
    /// Where the first slot begins, in minutes.
    pub start: i64,
    /// How far the slots are apart.
    pub step: i64,
    /// How many there are.
    pub count: i64,
    /// The seats of each.
    pub seats: i64,
    /// How many minutes from now on are looked at.
    pub span: i64,
}

/// What is done to a call.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // As below.
pub enum Act {
    Ring,
    Accept(u8),
    Decline,
    Connect,
    Caller,
    Callee,
    Deadline,
}

/// What is done.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The names say it; each is a call of the storage traits.
pub enum Operation {
    Register {
        role: Role,
        email: Option<u8>,
        phone: Option<u8>,
        /// The licence and the clinic that a doctor applies with.
        application: Option<(u8, Option<i64>)>,
        network: Option<u8>,
        session: bool,
    },
    ConcludeLogin {
        user: i64,
        network: Option<u8>,
        own: Option<u8>,
        opened: bool,
    },
    LoginStanding {
        user: i64,
        network: Option<u8>,
        own: Option<u8>,
    },
    Refresh {
        token: usize,
    },
    EditUser {
        user: i64,
        rename: bool,
        phone: Option<Option<u8>>,
        language: Option<Option<bool>>,
    },
    EndSession {
        session: usize,
    },
    ChangePassword {
        user: i64,
        is_right: bool,
        keep: usize,
    },
    SetActive {
        user: i64,
        active: bool,
    },
    CreateClinic {
        zone: u8,
        city: Option<u8>,
        active: bool,
    },
    UpdateClinic {
        clinic: i64,
        is_current: bool,
        zone: u8,
        city: Option<u8>,
        active: bool,
    },
    CompleteDoctor {
        user: i64,
        clinic: i64,
        licence: u8,
        limit: i64,
    },
    VerifyDoctor {
        user: i64,
    },
    UpdateDoctor {
        doctor: i64,
        is_current: bool,
        clinic: i64,
        licence: u8,
        limit: i64,
    },
    UpdatePatient {
        patient: i64,
        is_current: bool,
    },
    CreateSlot {
        doctor: i64,
        clinic: i64,
        zone: u8,
        start: i64,
        length: i64,
        seats: i64,
    },
    RetireSlot {
        slot: i64,
    },
    Book {
        slot: i64,
        bookings: Vec<Booking>,
    },
    Cancel {
        appointment: i64,
    },
    ChangeStatus {
        appointment: i64,
        is_current: bool,
        to: AppointmentStatus,
    },
    Notes {
        appointment: i64,
        is_empty: bool,
    },
    SetHours {
        doctor: i64,
        is_current: bool,
        auto_confirm: bool,
        publishing: Publishing,
    },
    Publish {
        doctor: i64,
        is_current: bool,
        publishing: Publishing,
    },
    Block {
        doctor: i64,
        from: i64,
        length: i64,
        cancel: bool,
    },
    Unblock {
        doctor: i64,
        block: i64,
    },
    Move {
        appointment: i64,
        is_current: bool,
        slot: i64,
        confirm_again: bool,
    },
    OpenConversation {
        one: i64,
        other: i64,
    },
    Send {
        conversation: usize,
        sender: i64,
        /// The client's id and what it stands for.
        client: Option<(u8, u8)>,
        tokens: Vec<u8>,
    },
    Mark {
        conversation: usize,
        user: i64,
        kind: ReceiptKind,
        up_to: u64,
    },
    Archive {
        conversation: usize,
        user: i64,
        archived: bool,
    },
    Search {
        needles: Vec<(usize, Vec<u8>)>,
        before: Option<usize>,
        limit: u32,
    },
    ReadMessages {
        conversation: usize,
        from: u64,
        length: u64,
        messages: Vec<usize>,
    },
    ListConversations {
        user: i64,
        with_archived: bool,
        skip: i64,
        limit: i64,
    },
    StartCall {
        caller: i64,
        callee: i64,
        voice: bool,
        client: Option<u8>,
        appointment: Option<i64>,
        refuses: bool,
        most: u32,
    },
    AdvanceCall {
        call: usize,
        is_current: bool,
        act: Act,
        /// The appointment that goes in progress, and whether its state is said rightly.
        appointment: Option<(i64, bool)>,
    },
    AddSample {
        call: usize,
        user: i64,
        /// An earlier one again, if there are so many.
        back: usize,
        values: (Option<u8>, Option<u8>),
        minutes: i64,
    },
    ReadCalls {
        user: i64,
        filter: CallFilter,
        samples: usize,
        skip: i64,
        limit: i64,
    },
    PutLease {
        /// An earlier one, counted from the newest.
        lease: Option<usize>,
        user: i64,
        status: PresenceStatus,
        minutes: i64,
    },
    RenewLeases {
        leases: Vec<usize>,
        minutes: i64,
    },
    EndLease {
        lease: usize,
        minutes: i64,
    },
    NoteLapses {
        limit: u32,
    },
    DropLeases {
        minutes: i64,
    },
    NoteTold {
        user: i64,
        status: PresenceStatus,
    },
    ReadPresence {
        user: i64,
        other: i64,
        minutes: i64,
        limit: u32,
    },
    ClaimJobs {
        lease: i64,
        limit: u32,
    },
    FinishJob {
        claim: usize,
        end: u8,
    },
    Record {
        audience: Vec<i64>,
    },
    ClaimValue {
        name: u8,
        value: u8,
    },
    Purge {
        ages: [i64; 5],
    },
    Seal,
    KeepCheckpoint {
        back: u64,
    },
    ListUsers {
        role: Option<Role>,
        skip: i64,
        limit: i64,
    },
    ListClinics {
        city: Option<u8>,
        skip: i64,
        limit: i64,
    },
    ListDoctors {
        specialty: Option<u8>,
        clinic: Option<i64>,
        skip: i64,
        limit: i64,
    },
    ListSlots {
        doctor: Option<i64>,
        clinic: Option<i64>,
        from: Option<i64>,
        to: Option<i64>,
        skip: i64,
        limit: i64,
    },
    ListAppointments {
        patient: Option<i64>,
        doctor: Option<i64>,
        status: Option<AppointmentStatus>,
        from: Option<i64>,
        to: Option<i64>,
        skip: i64,
        limit: i64,
    },
    ListSpecialties,
    ReadHours {
        doctor: i64,
        from: i64,
        length: i64,
    },
    ReadAppointment {
        appointment: i64,
    },
    ReadEvents {
        audience: Vec<i64>,
        after: usize,
        limit: u32,
    },
    ReadRelation {
        doctor: i64,
        patient: i64,
        minutes: i64,
    },
}
