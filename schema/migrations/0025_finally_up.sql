-- That the time of the finally steps is up, from the batch in which the first of them was asked to end: a takeover
-- begins none of them anew, whatever its clock says.
ALTER TABLE finally_start ADD COLUMN up boolean NOT NULL DEFAULT false;
