-- The coordinator counts what it stores (FeedbackCounted); the feedback topic is not read here.
DROP TABLE feedback_offsets;

-- For which kinds of agents and methods a worker has recipes: a list of {kind, method}.
ALTER TABLE workers ADD COLUMN capabilities jsonb NOT NULL DEFAULT '[]';
