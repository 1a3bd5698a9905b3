/** Drawings: one shape for each state and each action, so that colour is never all that tells them apart. */

const PATHS = {
  ringing: "M12 3a5 5 0 0 0-5 5v4l-2 3h14l-2-3V8a5 5 0 0 0-5-5Zm-2 14a2 2 0 0 0 4 0",
  dialing: "M5 4h4l1.5 5L8 10.5a11 11 0 0 0 5.500 5.500L15 13.500l5 1.500v4a1 1 0 0 1-1 1A15 15 0 0 1 4 5a1 1 0 0 1 1-1Zm10-1 6 0m0 0v6m0-6-7 7",
  talking: "M5 4h4l1.500 5L8 10.500a11 11 0 0 0 5.500 5.500l1.500-2.500 5 1.500v4a1 1 0 0 1-1 1A15 15 0 0 1 4 5a1 1 0 0 1 1-1Z",
  hold: "M8 5v14M16 5v14",
  conference: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm8 0a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.500 19a5.500 5.500 0 0 1 11 0m0 0h8a5.500 5.500 0 0 0-8.500-4.600",
  parked: "M7 20V4h6a5 5 0 0 1 0 10H7",
  free: "m5 12.500 4.500 4.500L19 7.500",
  paused: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM10 9v6m4-6v6",
  dnd: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM7.500 12h9",
  away: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4v5l3 2",
  offline: "m6 6 12 12M18 6 6 18",
  unknown: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400m0 3.500v.1",
  busy: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Z",
  extensions: "M4 5h7v6H4zm9 0h7v6h-7zM4 13h7v6H4zm9 0h7v6h-7z",
  queues: "M4 6h16M4 12h11M4 18h7m8-4v6m-3-3 3 3 3-3",
  rooms: "M7 20V4h6a5 5 0 0 1 0 10H7",
  servers: "M4 5h16v6H4zm0 8h16v6H4zm3-5h.1M7 16h.1",
  wallboard: "M3 5h18v11H3zm6 15h6m-3-4v4M7 12l3-3 2 2 4-4",
  record: "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12Z",
  muted: "M4 9v6h4l5 4V5L8 9Zm13 1 4 4m0-4-4 4",
  ear: "M7 9a5 5 0 0 1 10 0c0 4-4 4.500-4 8a3 3 0 0 1-5.500 1.500M10 9a2 2 0 0 1 4 0",
  in: "M18 6 7 17m0 0h8m-8 0V9",
  out: "m6 18 11-11m0 0H9m8 0v8",
  close: "m6 6 12 12M18 6 6 18",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.500 4.500",
  hangup: "M3 14c5-5 13-5 18 0l-2.500 3-4-1.500v-2.600a12 12 0 0 0-5 0v2.600l-4 1.500Z",
  transfer: "M4 8h14m0 0-4-4m4 4-4 4M20 16H6m0 0 4-4m-4 4 4 4",
  message: "M4 5h16v11H10l-5 4v-4H4z",
  lock: "M6 11h12v9H6zm3 0V8a3 3 0 0 1 6 0v3",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 8a7 7 0 0 1 14 0",
  pulse: "M2 12h5l3-8 4 16 3-8h5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, filled = false }: { name: IconName; size?: number; filled?: boolean }) {
  return (
    <svg
      class="icon" aria-hidden="true" width={size} height={size} viewBox="0 0 24 24"
      fill={filled ? "currentColor" : "none"} stroke="currentColor" stroke-width="2"
      stroke-linecap="round" stroke-linejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
