-- Answers that an agent's profile names, where it named others once: its versions may know more.
ALTER TABLE agents ADD COLUMN allowed_answers jsonb;  -- null: the profile never lost one
