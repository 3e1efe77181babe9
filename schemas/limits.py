"""Every limit of the product, by name. Nothing is bounded by a number that stands elsewhere."""

from typing import Final

# Amounts (schemas/money.py): the columns' scale and the Decimal context follow from these.
AMOUNT_INTEGER_DIGITS_MAX: Final = 15
AMOUNT_SCALE_MAX: Final = 6
RATE_SCALE_MAX: Final = 10
CALCULATION_DIGITS: Final = 76

# Deals
TEXT_LENGTH_MAX: Final = 400
KEY_LENGTH_MAX: Final = 200
DEAL_LINES_MAX: Final = 500
DEAL_SPLITS_MAX: Final = 50
DEAL_MILESTONES_MAX: Final = 100
DEAL_ATTRIBUTES_MAX: Final = 100
DEAL_REVISIONS_MAX: Final = 1_000
REPORTING_LINE_LENGTH_MAX: Final = 20
DATE_YEAR_MIN: Final = 1990
DATE_YEAR_MAX: Final = 2100

# The batch protocol (streams/)
BATCH_RECORDS_MAX: Final = 4_000
BATCH_RETRIES_MAX: Final = 12
SLICES_QUEUED_MAX: Final = 16
RECORD_BYTES_MAX: Final = 900_000
PRODUCER_BATCH_BYTES: Final = 262_144
REQUEST_BYTES_MAX: Final = 1_048_576
DEAD_LETTER_BYTES_MAX: Final = 4_096
UNREACHABLE_PAUSE_SECONDS: Final = 1
ACCOUNT_POSITIONS_MAX: Final = 2_000
TRANSACTION_MAX_SECONDS: Final = 30
LOCK_TIMEOUT_MS: Final = 5_000
LOCK_TIMEOUT_MS_MAX: Final = 60_000
REJOIN_PAUSE_SECONDS_MAX: Final = 30
LEASE_SECONDS: Final = 6
STOP_SECONDS_MAX: Final = 20
IDLE_FLUSH_MS: Final = 50
FOLLOWERS_NICENESS: Final = 5  # deals come first where cores are few
GC_ALLOCATIONS: Final = 200_000
THREAD_SWITCH_SECONDS: Final = 0.005
DEALS_CACHED_MAX: Final = 200_000
PLACEMENTS_CACHED_MAX: Final = 200_000  # payee and day, of one reference version

# The database (db/)
STATEMENT_SECONDS_MAX: Final = 120
CONNECT_SECONDS_MAX: Final = 10
POOL_CONNECTIONS_MAX: Final = 10
POOL_WAIT_SECONDS_MAX: Final = 10
CHUNK_DAYS: Final = 90
AUDIT_ROWS_MAX: Final = 50

# Standings and alerts
BOARD_RECOMPUTE_MS_MIN: Final = 250
WORKING_DAYS_CACHED_MAX: Final = 4_096
BOARD_ROWS_MAX: Final = 5_000
STANDING_ROWS_MAX: Final = 2_000  # in one record
SHAPE_SECONDS_MAX: Final = 60
CATCH_UP_DAYS_MAX: Final = 100
ALERT_ACCOUNTS_MAX: Final = 500  # locked together
ALERT_DEALS_MAX: Final = 5  # the last ones, as evidence

# The leased jobs
PUBLISH_SECONDS_MAX: Final = 10
JOB_PAUSE_MS: Final = 50
COMMANDS_PAUSE_MS: Final = 250  # between looks at what a reference change may move
JOB_BACKOFF_SECONDS: Final = 1  # after the first failure; doubled with each
JOB_BACKOFF_SECONDS_MAX: Final = 30
FOLLOW_BACKOFF_SECONDS: Final = 0.1  # likewise
FOLLOW_RETRIES_MAX: Final = 8
SEAL_SECONDS_MIN: Final = 1  # between looks for a question that waits
RELAY_ROWS_MAX: Final = 500
RECREDIT_DEALS_MAX: Final = 500
REACCRUE_ACCOUNTS_MAX: Final = 500
FREEZE_ACCOUNTS_MAX: Final = 200
OLD_CHUNKS_EVERY_SECONDS: Final = 6 * 3_600
HISTORY_DAYS: Final = 1_100  # of progress and alert events: three years
DRAIN_SECONDS_MAX: Final = 60
FREEZE_SECONDS_MAX: Final = 600
LOCK_POLL_SECONDS: Final = 0.01  # of a drain; of freezing at first
LOCK_POLL_SECONDS_MAX: Final = 0.25
LOCK_POLL_SHARE: Final = 0.1  # of the time a freeze has taken: what takes long is asked seldom

# The API and the live socket
BODY_BYTES_MAX: Final = 2_000_000
IMPORT_BYTES_MAX: Final = 50_000_000  # of a file sent to /v1/imports
POST_DEALS_MAX: Final = 500
LIST_ROWS_MAX: Final = 500
LIST_ROWS_DEFAULT: Final = 50
CURSOR_LENGTH_MAX: Final = 2_000
SAME_KEY_SHOWN_MAX: Final = 10  # deals of several sources under one key
REVISIONS_SHOWN_MAX: Final = 100  # of one deal, the newest
DEAL_LETTERS_READ_MAX: Final = 50  # refused records of one deal, the newest
NOTE_LENGTH_MAX: Final = 2_000
ALERT_EVENTS_SHOWN_MAX: Final = 100
ALERT_NOTES_SHOWN_MAX: Final = 100
LETTER_START_BYTES: Final = 400  # of a dead letter in a list
FEED_DEALS_MAX: Final = 20  # shown of one change
POSTINGS_QUEUED_MAX: Final = 50_000  # posted, and not written down yet
POSTINGS_HOURS: Final = 72  # what was posted can be asked for so long before it is booked
POSTINGS_BEAT_SECONDS: Final = 0.2
POSTINGS_SWEEP_SECONDS: Final = 600
WATCHED_CHANNELS_MAX: Final = 50
FRAME_BYTES_MAX: Final = 16_384
LIVE_AUTHENTICATE_SECONDS: Final = 10
LIVE_SOCKETS_OF_USER_MAX: Final = 100  # in one process of the API
LIVE_HEARTBEAT_SECONDS: Final = 2
LIVE_SEND_SECONDS: Final = 10  # a reader that takes no frame for so long reads too slowly
LIVE_NOTICES_QUEUED_MAX: Final = 200
LIVE_REBUILD_MS_MIN: Final = 50  # of one channel: between two readings
LIVE_FETCH_MS_MAX: Final = 500  # the broker holds an empty fetch so long
LIVE_RETRY_SECONDS: Final = 1  # after a reading that failed
LIVE_SWEEP_SECONDS: Final = 5  # a lost hint leaves no number frozen for longer
LIVE_REFERENCE_SECONDS: Final = 1  # who may watch is asked again
BOOKING_SECONDS_SILENT_MAX: Final = 10  # since a worker's lease ran out: then pages grey numbers
LIVE_READERS_MAX: Final = 4  # threads that read channels
ACKNOWLEDGE_SECONDS_MAX: Final = 5  # a posted deal waits so long for Kafka
VIEWS_REMEMBERED_MAX: Final = 100_000  # views of another's page that are in the audit already
SESSION_SECONDS: Final = 8 * 3_600
TOKEN_SECONDS_MAX: Final = 30 * 86_400
TOKEN_LENGTH_MAX: Final = 4_096
REQUEST_ID_LENGTH_MAX: Final = 64
IDEMPOTENCY_HOURS: Final = 24  # the first answer to a POST with a key is kept so long
IDEMPOTENCY_KEY_LENGTH_MAX: Final = 200
IDEMPOTENCY_STUCK_SECONDS: Final = 300  # longer than any POST takes: then its process has died
IDEMPOTENCY_WAIT_SECONDS: Final = 3  # for a connection, before a keyed POST is refused
IDEMPOTENCY_SWEEP_SECONDS: Final = 600  # between removals of old keys
IDEMPOTENCY_SWEEP_ROWS_MAX: Final = 5_000  # removed at once
# A caller's budgets: so many at once, and so many a second in the long run (PACEBOARD_RATE_...).
RATE_READS_PER_SECOND: Final = 100
RATE_READS_BURST: Final = 1_000
RATE_WRITES_PER_SECOND: Final = 50
RATE_WRITES_BURST: Final = 500
RATE_SIGN_INS_PER_SECOND: Final = 1
RATE_SIGN_INS_BURST: Final = 100
RATE_FRAMES_PER_SECOND: Final = 20  # of one socket; a frame counts one and one a channel it names
RATE_FRAMES_BURST: Final = 400
RATE_CALLERS_MAX: Final = 20_000  # remembered of each budget

# Files (ingest/)
FILE_BYTES_MAX: Final = 200_000_000
FILE_ROWS_MAX: Final = 1_000_000
XLSX_UNPACKED_BYTES_MAX: Final = 1_000_000_000
XLSX_CELLS_MAX: Final = 12_000_000  # the rectangle of all its cells, held in memory
COLUMNS_SAMPLE_ROWS: Final = 20
TRIAL_PAGE_ROWS: Final = 2_000  # of a dry run: deals read and credited together
IMPORTS_WAITING_MAX: Final = 10
IMPORT_EFFECTS_MAX: Final = 200
IMPORT_ERRORS_SHOWN_MAX: Final = 50
IMPORT_SECONDS_SILENT_MAX: Final = 30  # then whoever worked on it has died
IMPORT_BEAT_SECONDS: Final = 1
APPLY_SECONDS_MAX: Final = 600  # a load waits so long for what it sent to be in the ledger
