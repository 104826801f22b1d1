"""How well the difficulty of cases, by the model's own confidence, predicts its errors."""
