-- The span (W3C traceparent) in which an update came in, or which produced a message.
ALTER TABLE inq ADD COLUMN trace TEXT;
ALTER TABLE outq ADD COLUMN trace TEXT;
