/** Which part of a long list of tiles has to be there: pure arithmetic. */

export interface Room {
  /** Pixels there are. */
  width: number;
  height: number;
  /** Pixels above that were scrolled away. */
  scrolled: number;
  /** Of a tile, with the gap to the next. */
  tileWidth: number;
  tileHeight: number;
  count: number;
}

export interface Part {
  columns: number;
  rows: number;
  /** First and last (exclusive) tile that is there. */
  first: number;
  last: number;
  /** Pixels above the first, and in all. */
  above: number;
  total: number;
}

/** Rows beyond what is seen, so that scrolling finds them there. */
const SPARE = 2;

export function part(room: Room): Part {
  const columns = Math.max(1, Math.floor(room.width / room.tileWidth));
  const rows = Math.ceil(room.count / columns);
  const from = Math.max(0, Math.floor(room.scrolled / room.tileHeight) - SPARE);
  const until = Math.min(rows, Math.ceil((room.scrolled + room.height) / room.tileHeight) + SPARE);
  return {
    columns, rows,
    first: Math.min(room.count, from * columns),
    last: Math.min(room.count, Math.max(until, from) * columns),
    above: from * room.tileHeight,
    total: rows * room.tileHeight,
  };
}

/** Where a key leads from a tile; undefined if it is none of these keys. */
export function step(key: string, at: number, columns: number, page: number, count: number): number | undefined {
  const by: Record<string, number> = {
    ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
    PageDown: at + columns * page, PageUp: at - columns * page, Home: 0, End: count - 1,
  };
  const to = by[key];
  if (to === undefined || count === 0) return undefined;
  return Math.min(count - 1, Math.max(0, to));
}
