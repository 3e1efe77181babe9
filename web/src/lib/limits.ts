/** Every bound and duration of the page, by name. Durations are milliseconds. */

/** Without a frame for so long the numbers are no longer called live. */
export const STALE_MS = 5_000;
/** A handshake that takes longer is given up and tried again. */
export const CONNECT_MS = 8_000;
/** A connection that held so long was a good one: the next break starts with the short wait. */
export const STEADY_MS = 10_000;
/** A channel that was not answered is asked for again after this. */
export const ASK_AGAIN_MS = 4_000;
export const BACKOFF_MIN_MS = 500;
export const BACKOFF_MAX_MS = 15_000;
/** How often the page looks at the clock: staleness, the business clock, the held order. */
export const TICK_MS = 250;

/** A number counts from old to new within this. */
export const COUNT_MS = 600;
/** A row changes its place within this. */
export const MOVE_MS = 450;
/** Above this a board shows its new order at once: moving thousands of rows would stutter. */
export const MOVING_ROWS_MAX = 200;
/** The order stays held so long after the pointer or the focus has left the board. */
export const HOLD_MS = 3_000;
/** A screen reader hears at most one sentence in this time. */
export const ANNOUNCE_MS = 30_000;
/** A skeleton is shown only if the answer takes longer than this. */
export const SKELETON_MS = 300;

/** The largest attainment that a bar can show; above it the bar is drawn broken. */
export const BAR_RATIO_MAX = 3;
/** The part of a bar that is kept for what is below zero. */
export const BAR_RATIO_MIN = -0.15;
export const PERCENT_PLACES = 1;
export const POINTS_PLACES = 2;
export const MONEY_PLACES = 2;

/** How often pages without a live channel ask again, while somebody looks. */
export const POLL_MS = 5_000;
/** The same while something runs that the reader waits for: a lock, a file. */
export const POLL_BUSY_MS = 1_000;
/** Alerts come with the team's frames; this catches what no frame tells, as another's note. */
export const POLL_ALERTS_MS = 15_000;
/** The longest note (TEXT_LENGTH_MAX). */
export const NOTE_LENGTH_MAX = 400;
/** Rows of a page of a list. */
export const PAGE_ROWS = 50;
/** Alerts shown in one tab. */
export const ALERTS_MAX = 200;
/** The largest file (FILE_BYTES_MAX). */
export const FILE_BYTES_MAX = 200_000_000;
/** What a search waits for after the last key. */
export const TYPING_MS = 250;
