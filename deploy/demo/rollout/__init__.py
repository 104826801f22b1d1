"""The demo's last acts: a canary that feedback decides, and an automatic rollback."""
