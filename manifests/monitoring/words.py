"""Names that dashboards and alert rules share."""

# Where docs/runbooks is published. Whoever publishes it elsewhere says so: the chart by `runbookUrl`.
RUNBOOKS = "https://memq.dev/docs/runbooks"

# How full the storage is, 1 being where enqueues are refused: what lives must fit twice and a quarter into the room
# that there would be if nothing else were kept, so that the log can always be written down anew.
STORAGE = "2.25 * memq_log_live_bytes{where} / (memq_log_left_bytes{where} + memq_log_length_bytes{where})"


def storage(where=""):
    """`STORAGE` of the servers that a selector chooses."""
    return STORAGE.replace("{where}", where)
