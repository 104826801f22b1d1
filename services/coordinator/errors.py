"""The coordinator's errors.

RetryableError
└── JobMoved            another transaction changed the job first
PermanentError
├── UnknownAgent        feedback for an agent that nobody configured
├── OversizedFeedback   a feedback record above the limit
├── OversizedProfile    a profile that the records that repeat it could not hold
├── InvalidBaseModel    a profile whose base model is no such URI
├── NotVouchedFor       what needs the gateway's proof, without it
├── FixedByDeployment   another kind or base model than the deployed version has
├── ProfileMismatch     a profile for another agent than the command's
├── NothingLogged       a period in which an agent reported nothing
├── UnknownSource       a transfer from a version that there is not, or of another kind
├── NothingToLearn      a job whose sources hold no item
└── FactMissing         a job in a state that an earlier stage's answer is missing for
"""

from shared.errors import PermanentError, RetryableError


class JobMoved(RetryableError):
    """Another transaction changed the job first; the message finds its new state next time."""


class UnknownAgent(PermanentError):
    """Feedback for an agent that nobody configured."""


class OversizedFeedback(PermanentError):
    """A feedback record above the limit."""


class InvalidBaseModel(PermanentError):
    """A profile whose base model is no such URI."""


class NotVouchedFor(PermanentError):
    """What only the gateway may send, since a key's scope is needed, from somebody else."""


class OversizedProfile(PermanentError):
    """A profile that the records that repeat it could not hold."""


class FixedByDeployment(PermanentError):
    """A profile from which no training could continue with the deployed version."""


class ProfileMismatch(PermanentError):
    """A profile for another agent than the command's."""


class UnknownSource(PermanentError):
    """A transfer that names a version which there is not, or which cannot be its start."""


class NothingToLearn(PermanentError):
    """A job whose sources hold no item."""


class NothingLogged(PermanentError):
    """A period in which an agent reported nothing to analyse."""


class FactMissing(PermanentError):
    """A job in a state that an earlier stage's answer is missing for."""
