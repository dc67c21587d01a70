// A moment as the command line tells it, in the reader's time zone: 2026-11-29 00:00 UTC.

const FORM = new Intl.DateTimeFormat("en", {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});
const parts = seconds => Object.fromEntries(
  FORM.formatToParts(new Date(seconds * 1000)).map(({ type, value }) => [type, value]));

export const moment = seconds => {
  const at = parts(seconds);
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute} ${at.timeZoneName}`;
};

export const momentToTheSecond = seconds => {
  const at = parts(seconds);
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute}:${at.second} ${at.timeZoneName}`;
};
