# English. What the engine's codes say is the engine's own text.

refused-wrong-shape = The request has a wrong shape
refused-validation-error = The request breaks a rule
refused-slot-mismatch = The doctor or clinic does not belong to this slot
refused-idempotency-mismatch = This idempotency key was used with another request
refused-method-not-allowed = Method not allowed
refused-unsupported-media-type = Unsupported media type
refused-request-timeout = The request took too long to arrive
refused-unauthorized = Not authenticated
refused-invalid-credentials = Invalid email/phone or password
refused-account-deactivated = Account is deactivated
refused-csrf-failed = The request does not come from an allowed page
refused-forbidden = You do not have permission to do this
refused-patient-inactive = The patient's account is deactivated
refused-not-found = Not found
refused-email-already-exists = This email is already registered
refused-phone-already-exists = This phone number is already registered
refused-licence-taken = This license number is already registered
refused-doctor-exists = This user already has a doctor profile
refused-slot-overlap = The doctor already has a slot at this time
refused-slot-has-bookings = The slot has live bookings
refused-slot-inactive = The slot is not available
refused-slot-past = The slot is in the past
refused-slot-full = The slot is already booked
refused-doctor-on-leave = The doctor's time is blocked
refused-time-has-bookings = There are live bookings in this time
refused-daily-limit-reached = The doctor's daily limit is reached
refused-duplicate-booking = You have already booked this slot
refused-patient-overlap = The patient has another appointment at this time
refused-illegal-transition = The appointment's status does not allow this
refused-version-conflict = It was changed by somebody else in the meantime
refused-own-account = You cannot deactivate your own account
refused-gone = It is no longer kept
refused-rate-limited = Too many requests
refused-payload-too-large = The request body is too large
refused-unavailable = The service is temporarily unavailable
refused-audit-broken = The audit trail does not agree with its checkpoints
refused-storage-full = There is no space left to store this
refused-internal-error = Internal error

# What stands on the platform surface in place of a code's own text: its clients look for the
# words "already booked" and "blocked".
booked-duplicate = This time is already booked by this patient
booked-full = This time is already booked
booked-overlap = The patient is already booked for another appointment at this time
booked-day = The doctor's day is already booked up
blocked-leave = This time is blocked by the doctor
blocked-inactive = This time is blocked: it is not offered any more
blocked-past = This time is blocked: it has passed

# What was looked for.
missing-user = User not found
missing-patient = Patient not found
missing-doctor = Doctor not found
missing-clinic = Clinic not found
missing-slot = Slot not found
missing-appointment = Appointment not found
missing-block = Blocked time not found
missing-conversation = Conversation not found
missing-message = Message not found

# States of an appointment.
illegal-from = The appointment is {$status}, which does not allow this
status-pending = pending
status-confirmed = confirmed
status-rejected = rejected
status-cancelled = cancelled
status-in-progress = in progress
status-completed = completed
status-no-show = missed

# What is wrong with a field.
wrong-field = {$field}: {$reason}
reason-other = has a value that is not allowed
reason-required = is required
reason-blank = must not be blank
reason-not-valid = is not valid
reason-email = must be an email address
reason-phone = must be a telephone number of 5 to 20 digits
reason-password-short = must have at least 8 characters
reason-id = must be a positive whole number
reason-past = must be in the past
reason-over = must not be over
reason-email-or-phone = or a phone number is required
reason-current-password = is not your password
reason-outside-hours = is outside the doctor's hours
reason-clinic-zone = must be the clinic's time zone
reason-after-start = must be after start_time
reason-before-from = must not be before from
reason-doctor-not-found = Doctor not found
reason-uuid = must be a UUID
reason-somebody-else = must be somebody else
reason-patient-and-doctor = must make a pair of a patient and a doctor
reason-one-other = must name one other participant
reason-system = is the system's own
reason-attachment = needs an attachment
reason-empty = must be empty
reason-participants-appointment = must be an appointment of one of the participants
reason-pairs-appointment = must be an appointment of the two
reason-word = must have a word in it

# What was done.
done-registered = Registration successful
done-logged-in = Login successful
done-refreshed = Session refreshed
done-logged-out = Logged out successfully
done-password-changed = Password changed successfully
done-csrf = Token issued
done-profile = Profile retrieved successfully
done-profile-updated = Profile updated successfully
done-doctors = Doctors retrieved successfully
done-doctor = Doctor retrieved successfully
done-specialties = Specialties retrieved successfully
done-free-times = Available times retrieved successfully
done-appointments = Appointments retrieved successfully
done-appointment = Appointment retrieved successfully
done-booked = Appointment booked successfully
done-appointment-updated = Appointment updated successfully
done-cancelled = Appointment cancelled successfully
done-rescheduled = Appointment rescheduled successfully
done-schedule = Schedule retrieved successfully
done-schedule-updated = Schedule updated successfully
done-blocked = Time blocked successfully
done-unblocked = Time unblocked successfully
done-conversations = Conversations retrieved successfully
done-conversation-opened = Conversation opened successfully
done-archived = Conversation archived successfully
done-unarchived = Conversation unarchived successfully
done-messages = Messages retrieved successfully
done-message-sent = Message sent successfully
done-messages-read = Messages marked as read successfully
done-messages-found = Messages searched successfully
done-events = Events retrieved successfully
