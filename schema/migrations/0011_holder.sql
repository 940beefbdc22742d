-- Who holds a user token: the name that answers are given in.
ALTER TABLE token ADD COLUMN holder text;
