// Reads server-sent events from the body of a response.

const UNREAD_CHARACTERS_MAX = 1 << 20; // an event is a batch: some thousand characters

/** Yield the events of each part as it arrives, each as { name, id, data }; none for a heartbeat. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const blocks = (unread + part.value).split(/\r?\n\r?\n/);
      unread = blocks.pop();
      if (unread.length > UNREAD_CHARACTERS_MAX) throw new RangeError("an event is too large");
      yield blocks.map(toEvent).filter((event) => event.data);
    }
  } finally {
    reader.cancel().catch(() => {}); // it may be cut already
  }
}

function toEvent(block) {
  const event = { name: "message", id: "", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") event.name = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += (event.data && "\n") + value;
  }
  return event;
}
