"""The one exception that is shown to the user as a message."""


class UserError(Exception):
    """A mistake that the user can mend: parameters, data, a missing device, a full disk.

    Entry points print the message alone, without a traceback, and exit with status 2.
    """
