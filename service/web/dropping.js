// Files out of what was dropped, those inside of folders included.

/** Give the files of a drop. Must be called while the event is handled: what it holds is gone afterwards. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    // A folder is given a hundred entries at a time, until none are left.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.filter(({ name }) => !name.startsWith(".")).map(filesOf))).flat();
}

/**
 * Call a function with the files that are dropped anywhere on the page, and show meanwhile that they may be.
 * @param {HTMLElement} veil Shown while files are held over the page.
 * @param {() => boolean} allowed
 * @param {(files: File[]) => void} take
 */
export function acceptDrops(veil, allowed, take) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files") && allowed();
  const over = (change) => {
    depth = change === 0 ? 0 : depth + change;
    veil.hidden = depth <= 0;
  };
  addEventListener("dragenter", (event) => holdsFiles(event) && over(1));
  addEventListener("dragleave", (event) => holdsFiles(event) && over(-1));
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = allowed() ? "copy" : "none";
  });
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(0);
    if (allowed()) take(await droppedFiles(event.dataTransfer));
  });
}
