-- What people are shown of their sessions.

ALTER TABLE sessions ADD COLUMN address TEXT; -- of the login
ALTER TABLE sessions ADD COLUMN agent TEXT;   -- User-Agent of the login
