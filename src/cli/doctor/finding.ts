/**
 * How good a thing is that the doctor looked at.
 *
 * - `ok`: nothing to do;
 * - `advice`: heddle works, and would work better otherwise;
 * - `problem`: something of heddle does not work here.
 */
export type FindingStatus = 'ok' | 'advice' | 'problem';

/** One thing that the doctor looked at. */
export interface Finding {
  /** What was looked at: stable, for programs. */
  readonly id: string;
  readonly status: FindingStatus;
  /** What was found, for people. */
  readonly summary: string;
  /** What to do about it; there unless the status is `ok`. */
  readonly action?: string;
  /** What was found, for programs; units end the names. */
  readonly facts: Readonly<Record<string, unknown>>;
}
