-- What people are shown of their sessions.

ALTER TABLE sessions ADD COLUMN address TEXT COLLATE "C"; -- of the login
ALTER TABLE sessions ADD COLUMN agent TEXT COLLATE "C";   -- User-Agent of the login
