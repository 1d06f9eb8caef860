// A grid of any length of which only what is in sight is in the document; it scrolls with the page.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";

// How much more than the window is drawn, above and below, so that scrolling finds it there: parts of a window.
const MARGIN = 0.6;
const NOWHERE = { width: 0, columns: 1, cell: 0, row: 1, first: 0, last: -1 };

/**
 * items     any, each with a `key`
 * total     how many there will be, or null while nobody knows
 * least     the least width of a cell (px); height: its width -> its height (px)
 * attributes(item, index)   of the cell's element, such as its role
 * draw(item, index)         what is in it
 * onEnd     called when what is in sight comes near the end
 * active    index of the cell that has the focus, or null where cells take none
 * onMove(index, event)      an arrow key or its like asks for another active cell
 * all else is of the element around the cells, such as its role and label
 */
export function Grid({
  items,
  total,
  least,
  height,
  attributes,
  draw,
  onEnd,
  active = null,
  onMove,
  ...rest
}) {
  const box = useRef(null);
  const sight = useSight(box, least, height, items.length);
  const rows = Math.ceil(items.length / sight.columns);
  useEffect(() => {
    if (sight.width > 0 && sight.last >= rows - 2) onEnd?.();
  }, [sight, rows]);
  useFocus(box, active);
  const keys = (event) => {
    const to = target(event, active ?? 0, items.length, sight);
    if (to === null) return;
    event.preventDefault();
    onMove(to, event);
  };
  const cell = (index) => html`<div
    key=${items[index].key}
    class="cell"
    data-index=${index}
    aria-posinset=${index + 1}
    aria-setsize=${total ?? -1}
    style=${place(index, sight)}
    ...${attributes(items[index], index)}
  >${draw(items[index], index)}</div>`;
  return html`<div ...${rest} ref=${box} class=${`grid ${rest.class ?? ""}`} onKeyDown=${onMove && keys}
    style=${{ height: `${rows * sight.row}px` }}>
    ${sight.width > 0 && shown(items.length, sight, active).map(cell)}
  </div>`;
}

function place(index, { columns, cell, row }) {
  const x = (index % columns) * cell;
  const y = Math.floor(index / columns) * row;
  return { width: `${cell}px`, height: `${row}px`, transform: `translate(${x}px, ${y}px)` };
}

/** The indexes to draw: what is in sight, and what has the focus or would get it by the Tab key, wherever it is. */
function shown(length, { columns, first, last }, active) {
  const from = Math.max(0, first * columns);
  const to = Math.min(length, (last + 1) * columns);
  const indexes = Array.from({ length: Math.max(0, to - from) }, (_, offset) => from + offset);
  const kept = active === null ? null : Math.min(active, length - 1);
  const far = kept !== null && kept >= 0 && (kept < from || kept >= to);
  return far ? [...indexes, kept].sort((a, b) => a - b) : indexes;
}

/** What of the grid is in sight, measured anew whenever that may have changed. */
function useSight(box, least, height, length) {
  const [sight, setSight] = useState(NOWHERE);
  const look = useRef(null);
  look.current = () => {
    // The observer may speak once more of a box that has just gone.
    if (box.current) setSight((before) => same(before, measure(box.current, least, height)));
  };
  useLayoutEffect(() => look.current(), [length]);
  useEffect(() => {
    let frame = 0;
    const soon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        look.current();
      });
    };
    const sizes = new ResizeObserver(soon);
    sizes.observe(box.current);
    const over = new AbortController();
    addEventListener("scroll", soon, { passive: true, signal: over.signal });
    addEventListener("resize", soon, { signal: over.signal });
    return () => {
      over.abort();
      sizes.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);
  return sight;
}

function measure(box, least, height) {
  const { top, width } = box.getBoundingClientRect();
  const columns = Math.max(1, Math.floor(width / least));
  const cell = Math.floor(width / columns); // whole pixels, so that neighbors leave no seam
  const row = Math.round(height(cell));
  const margin = innerHeight * MARGIN;
  const first = Math.max(0, Math.floor((-top - margin) / row));
  const last = Math.max(first, Math.floor((innerHeight - top + margin) / row));
  return { width, columns, cell, row, first, last };
}

function same(before, after) {
  return Object.keys(after).every((name) => before[name] === after[name]) ? before : after;
}

/** The focus follows the active cell, if it is in the grid at all. */
function useFocus(box, active) {
  useLayoutEffect(() => {
    if (active === null || !box.current.contains(document.activeElement)) return;
    const cell = box.current.querySelector(`[data-index="${active}"]`);
    cell?.focus({ preventScroll: true });
    cell?.scrollIntoView({ block: "nearest" });
  }, [active]);
}

/** Where a key leads from `index`, or null if it leads nowhere. */
function target({ key, ctrlKey, metaKey, altKey }, index, length, { columns, row }) {
  if (ctrlKey || metaKey || altKey || length === 0) return null;
  const page = columns * Math.max(1, Math.floor(innerHeight / row));
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page,
    PageDown: page,
  };
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  if (!(key in steps)) return null;
  return Math.min(length - 1, Math.max(0, index + steps[key]));
}
