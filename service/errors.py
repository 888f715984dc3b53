"""The base of what goes wrong in the service; modules subclass it beside what raises them."""


class ServiceError(Exception):
    """Something cannot be done as asked; the message is for a person and says what to do."""


class WrongUse(ServiceError):
    """What was asked for can never be done: a setting or argument has to change."""
