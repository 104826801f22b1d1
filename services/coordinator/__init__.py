"""The coordinator: takes feedback in, decides when to retrain, and leads each job to its end."""
