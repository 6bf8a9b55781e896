// An application of React and one of Vue, each with an element and what it learns from its events.
import { StrictMode, createElement, useState } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h, ref } from "vue";

const [inReact, inVue] = document.querySelectorAll("main");

function ReactApplication() {
  const [done, setDone] = useState(0);
  const attributes = { src: inReact.dataset.gateway, batchId: ["react"], words: { running: "React" } };
  const onprogress = (event) => setDone(event.detail.totals.done);
  return [
    createElement("batch-progress", { key: "bar", ...attributes, onprogress }),
    createElement("output", { key: "done" }, `${done} done`),
  ];
}

const vueApplication = {
  setup() {
    const done = ref(0);
    const attributes = { src: inVue.dataset.gateway, batchId: ["vue"], words: { running: "Vue" } };
    const onProgress = (event) => (done.value = event.detail.totals.done);
    return () => [h("batch-progress", { ...attributes, onProgress }), h("output", `${done.value} done`)];
  },
};

createRoot(inReact).render(createElement(StrictMode, null, createElement(ReactApplication)));
createApp(vueApplication).mount(inVue);
