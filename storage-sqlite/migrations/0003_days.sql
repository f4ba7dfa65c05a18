-- Doctors' days in the order of their slots, and why an appointment was moved.

-- scheduling -------------------------------------------------------------------------------

-- A day's slots in their order, and the daily limit: the sum of booked_count over them.
DROP INDEX slots_doctor_day;
CREATE INDEX slots_doctor_day ON slots (doctor_id, local_day, starts_at);

-- Why it was moved the last time.
ALTER TABLE appointments ADD COLUMN reschedule_reason BLOB;
