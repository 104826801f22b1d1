-- Retracted items of feedback that a version may hold, as FeedbackWithdrawn listed them last.
ALTER TABLE models ADD COLUMN withdrawn_items integer NOT NULL DEFAULT 0;
