"""`python -m services.curriculum` runs the service until it gets a signal to stop."""

from shared.process.start import start

if __name__ == "__main__":
    start("services.curriculum")
