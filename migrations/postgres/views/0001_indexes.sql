-- The indexes of a set of views that a rebuild builds at its end.
CREATE UNIQUE INDEX messages_by_sid ON VIEWS.messages(sid, account);
CREATE INDEX messages_by_recipient ON VIEWS.messages(recipient, id);
CREATE INDEX messages_by_sender ON VIEWS.messages(sender, id);
CREATE INDEX tags_by_hash ON VIEWS.tags(hash, message);
