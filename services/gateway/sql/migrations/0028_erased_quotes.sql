-- What was retracted while an analysis ran: its result was made of records from before.
ALTER TABLE log_analyses ADD COLUMN erased_interactions text[] NOT NULL DEFAULT '{}';
