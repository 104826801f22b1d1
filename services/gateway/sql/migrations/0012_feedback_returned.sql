-- What became of the window of a job that gave no version.
ALTER TABLE jobs ADD COLUMN feedback_returned jsonb; -- FeedbackReturned
