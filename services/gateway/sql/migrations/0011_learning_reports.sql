-- Whether a job's run learnt something: LearningReport; null: it was not evaluated.
ALTER TABLE jobs ADD COLUMN learning jsonb;
