-- The demo's auditor looks where no service would: straight into the coordinator's store.

-- name: stored_feedback(agent_id)
-- Every stored feedback event of an agent, and the window that used it, if any.
SELECT event_id, window_id FROM coordinator.feedback WHERE agent_id = :agent_id;
