//! The table of error codes. Everything that lists codes (docs, the surfaces, the bindings) is
//! made from it.

use std::fmt;

/// The few kinds of failure. A caller that does not know a code can act on its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong and will stay wrong.
    Invalid,
    /// No credential, or one that is not good.
    Unauthenticated,
    /// The credential is good, the right is missing.
    Forbidden,
    /// Not there, or not to be seen by this actor.
    NotFound,
    /// The state of things refuses it.
    Conflict,
    /// It was there once.
    Gone,
    /// Too often.
    RateLimited,
    /// Too much.
    TooLarge,
    /// The backend cannot be reached or is busy; the same call may succeed later.
    Unavailable,
    /// The disk is full; reads go on.
    StorageFull,
    /// A fault of ours.
    Internal,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text_code:literal, $kind:ident, $status:literal, $text:literal;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable string.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text_code,)* }
            }

            /// What kind of failure it is.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// The HTTP status that a surface answers unless its own contract says otherwise.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The text in English that is shown when there is nothing better to say.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// A wrong type, a missing field, a number or a length out of its range.
    WrongShape = "WRONG_SHAPE", Invalid, 422, "The request has a wrong shape";
    /// A value of the right shape that breaks a rule.
    BrokenRule = "VALIDATION_ERROR", Invalid, 400, "The request breaks a rule";
    /// The doctor or clinic that was named is not the slot's.
    SlotMismatch = "SLOT_MISMATCH", Invalid, 400, "The doctor or clinic does not belong to this slot";
    /// The key was used before with another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", Invalid, 422, "This idempotency key was used with another request";
    /// The method is not one of the route's.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Invalid, 405, "Method not allowed";
    /// The content type is not one that the route reads.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", Invalid, 415, "Unsupported media type";
    /// The client took too long to send its request.
    RequestTimeout = "REQUEST_TIMEOUT", Invalid, 408, "The request took too long to arrive";
    /// No credential, or one that is expired, revoked or forged.
    Unauthenticated = "UNAUTHORIZED", Unauthenticated, 401, "Not authenticated";
    /// Unknown user or wrong password; which of them is not said.
    InvalidCredentials = "INVALID_CREDENTIALS", Unauthenticated, 401, "Invalid email/phone or password";
    /// The password was right and the account is deactivated.
    AccountDeactivated = "ACCOUNT_DEACTIVATED", Unauthenticated, 401, "Account is deactivated";
    /// The request came with a session cookie alone and neither a token against forgery nor an
    /// origin that is allowed.
    ForeignOrigin = "CSRF_FAILED", Forbidden, 403, "The request does not come from an allowed page";
    /// The role may not do this at all.
    Forbidden = "FORBIDDEN", Forbidden, 403, "You do not have permission to do this";
    /// A booking for a patient whose account is deactivated.
    PatientInactive = "PATIENT_INACTIVE", Forbidden, 403, "The patient's account is deactivated";
    /// Not there, or not to be seen by this actor.
    NotFound = "NOT_FOUND", NotFound, 404, "Not found";
    /// The e-mail address belongs to an account already.
    EmailTaken = "EMAIL_ALREADY_EXISTS", Conflict, 409, "This email is already registered";
    /// The telephone number belongs to an account already.
    PhoneTaken = "PHONE_ALREADY_EXISTS", Conflict, 409, "This phone number is already registered";
    /// The licence number belongs to another doctor.
    LicenceTaken = "LICENCE_TAKEN", Conflict, 409, "This license number is already registered";
    /// The user has a verified doctor's profile already.
    DoctorExists = "DOCTOR_EXISTS", Conflict, 409, "This user already has a doctor profile";
    /// The doctor has another active slot at that time.
    SlotOverlap = "SLOT_OVERLAP", Conflict, 409, "The doctor already has a slot at this time";
    /// The slot has live appointments.
    SlotHasBookings = "SLOT_HAS_BOOKINGS", Conflict, 409, "The slot has live bookings";
    /// The slot, its doctor or its clinic is not active.
    SlotInactive = "SLOT_INACTIVE", Conflict, 409, "The slot is not available";
    /// The slot has begun.
    SlotPast = "SLOT_PAST", Conflict, 409, "The slot is in the past";
    /// Every seat of the slot is taken.
    SlotFull = "SLOT_FULL", Conflict, 409, "The slot is already booked";
    /// The doctor is away at that time.
    DoctorOnLeave = "DOCTOR_ON_LEAVE", Conflict, 409, "The doctor's time is blocked";
    /// Live appointments lie in the time to be blocked.
    BlockedTimeHasBookings = "TIME_HAS_BOOKINGS", Conflict, 409, "There are live bookings in this time";
    /// The doctor sees no more patients on that day.
    DailyLimitReached = "DAILY_LIMIT_REACHED", Conflict, 409, "The doctor's daily limit is reached";
    /// The patient has a live appointment on this slot.
    AlreadyBooked = "DUPLICATE_BOOKING", Conflict, 409, "You have already booked this slot";
    /// The patient has another live appointment at that time.
    PatientOverlap = "PATIENT_OVERLAP", Conflict, 409, "The patient has another appointment at this time";
    /// The appointment's state does not allow the change.
    IllegalTransition = "ILLEGAL_TRANSITION", Conflict, 409, "The appointment's status does not allow this";
    /// The caller takes part in another call.
    CallerInCall = "CALLER_IN_CALL", Conflict, 409, "You are in another call";
    /// The callee is in another call, or does not want to be disturbed.
    CalleeBusy = "CALLEE_BUSY", Conflict, 409, "The other party is busy";
    /// The call's state does not allow this.
    CallState = "CALL_STATE", Conflict, 409, "The call's status does not allow this";
    /// Somebody else changed the row in between; read again and retry.
    VersionConflict = "VERSION_CONFLICT", Conflict, 409, "It was changed by somebody else in the meantime";
    /// An administrator may not lock himself out.
    OwnAccount = "OWN_ACCOUNT", Conflict, 409, "You cannot deactivate your own account";
    /// It was there once.
    Gone = "GONE", Gone, 410, "It is no longer kept";
    /// Too many requests.
    RateLimited = "RATE_LIMITED", RateLimited, 429, "Too many requests";
    /// The body is larger than the route reads.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", TooLarge, 413, "The request body is too large";
    /// The backend cannot be reached or is busy.
    Unavailable = "UNAVAILABLE", Unavailable, 503, "The service is temporarily unavailable";
    /// The audit trail does not agree with its checkpoints and is not signed.
    AuditBroken = "AUDIT_BROKEN", Internal, 500, "The audit trail does not agree with its checkpoints";
    /// The disk is full.
    StorageFull = "STORAGE_FULL", StorageFull, 507, "There is no space left to store this";
    /// A fault of ours.
    Internal = "INTERNAL_ERROR", Internal, 500, "Internal error";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique() {
        let strings: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(strings.len(), Code::ALL.len());
    }
}
