/**
 * Reads the counts of a test run from what ava printed.
 *
 * The closing summary stands after ava's last ruler line; text that a test printed cannot be taken for it. ava leaves
 * the number of passed tests out of the summary of a run that failed: then the check marks above its first ruler are counted.
 *
 * @param {string} output everything that ava wrote
 * @param {number | null} exitCode the exit code of the run; null when a signal ended it
 * @returns {{ passed: number, failed: number, skipped: number, succeeded: boolean, problem: string | undefined }}
 */
export function summarize(output, exitCode) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with the escape character
  const lines = output.replace(/\u001b\[[0-9;]*m/g, '').split(/\r?\n/);
  const isRuler = (line) => /^\s*─+\s*$/.test(line);
  const ruler = lines.findLastIndex(isRuler);
  const summary = ruler === -1 ? [] : lines.slice(ruler + 1);

  const count = (pattern) => {
    for (const line of summary) {
      const match = pattern.exec(line.trim());
      if (match !== null) return Number(match[1]);
    }
    return 0;
  };
  const beforeSummary = ruler === -1 ? lines : lines.slice(0, lines.findIndex(isRuler));
  const checkMarks = () => beforeSummary.filter((line) => /^\s*✔ /.test(line)).length;

  const passed = count(/^(\d+) tests? passed$/) || checkMarks();
  const skipped = count(/^(\d+) tests? skipped$/) + count(/^(\d+) tests? todo$/);
  let failed =
    count(/^(\d+) tests? failed$/) +
    count(/^(\d+) hooks? failed$/) +
    // A test marked as failing hides a defect: it counts as what it is.
    count(/^(\d+) known failures?$/) +
    count(/^(\d+) unhandled rejections?$/) +
    count(/^(\d+) uncaught exceptions?$/) +
    count(/^(\d+) tests? remained pending after a timeout$/);

  let problem;
  if (failed > 0) problem = 'tests failed';
  else if (exitCode !== 0) {
    // A file that crashed, or that holds no test, is in none of ava's counts.
    failed = 1;
    problem = exitCode === null ? 'the test run was ended by a signal' : `the test run exited with code ${exitCode}`;
  } else if (ruler === -1) problem = "ava's closing summary is missing";
  else if (passed === 0) problem = 'no test was executed';

  return { passed, failed, skipped, succeeded: problem === undefined, problem };
}

/** `12 passed, 0 failed`, with the skipped ones if there are any. */
export function formatCounts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
