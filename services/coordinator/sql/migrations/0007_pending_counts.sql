-- What transactions of the feedback intake counted, until it is published: FeedbackCounted adds up
-- many of them. Without a tenant_id, as a row holds the counts of every agent of a transaction.
CREATE TABLE pending_counts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    counts bytea NOT NULL -- JSON of services.coordinator.feedback.counting
);
-- Read once, a second later: not worth the time of compression.
ALTER TABLE pending_counts ALTER COLUMN counts SET STORAGE EXTERNAL;
