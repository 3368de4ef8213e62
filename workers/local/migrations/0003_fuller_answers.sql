-- Answers tell all of a hold or a reservation now: what was answered before is not told again.
DELETE FROM answers;
