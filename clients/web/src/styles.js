// How the element looks. Pages change it with custom properties and parts.

export const STYLES = `
:host {
  display: block;
  line-height: 1.5;
  font-variant-numeric: tabular-nums;
}
:host([hidden]) {
  display: none;
}
/* As high as its text will be, so that the page does not move when it comes. */
.head,
.facts {
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.75em;
  min-height: 1lh;
}
.head {
  justify-content: space-between;
}
.facts {
  font-size: 0.875em;
  color: var(--batch-progress-muted, color-mix(in srgb, currentColor 72%, transparent));
}
.facts > :empty {
  display: none;
}
.name {
  min-width: 0;
  overflow-wrap: anywhere;
  unicode-bidi: isolate;
}
.percent,
.state {
  font-weight: 600;
}
.failed-jobs {
  color: var(--batch-progress-failed-text, light-dark(#b3232f, #ff8b92));
}
.problem {
  overflow-wrap: anywhere;
  color: var(--batch-progress-problem-text, light-dark(#855400, #f3c566));
}
.bar {
  display: flex;
  height: var(--batch-progress-height, 0.5em);
  margin-block: 0.25em;
  border-radius: var(--batch-progress-radius, 99px);
  background: var(--batch-progress-track, light-dark(#e4e7ed, #2a303c));
  overflow: hidden;
}
.share {
  flex: none;
  width: 0;
  transition: width 0.9s cubic-bezier(0.25, 0.6, 0.35, 1);
}
.succeeded {
  background: var(--batch-progress-running, light-dark(#3558d4, #8fabff));
}
.bar[data-state="completed"] .succeeded,
.bar[data-state="failures"] .succeeded {
  background: var(--batch-progress-succeeded, light-dark(#2f9d74, #38b083));
}
.bar[data-state="stalled"] .succeeded {
  background: var(--batch-progress-stalled, light-dark(#d9930d, #e3a52f));
}
.bar[data-state="cancelled"] .succeeded {
  background: var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789));
}
/* Striped, for people who cannot distinguish the colours. */
.failed {
  background: repeating-linear-gradient(-45deg,
    var(--batch-progress-failed, light-dark(#d64550, #f0616b)) 0 3px,
    var(--batch-progress-failed-text, light-dark(#b3232f, #ff8b92)) 3px 5px);
}
.skipped {
  background: repeating-linear-gradient(90deg,
    var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789)) 0 2px, transparent 2px 4px);
}
.moving {
  display: none;
  width: 40%;
  border-radius: inherit;
  background: var(--batch-progress-running, light-dark(#3558d4, #8fabff));
  animation: move 1.6s ease-in-out infinite alternate;
}
.bar.indeterminate .moving {
  display: block;
}
.bar.indeterminate[data-state="stalled"] .moving,
.bar.indeterminate[data-state="connecting"] .moving {
  background: var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789));
}
.bar.indeterminate.troubled .moving,
.bar.indeterminate .share {
  display: none;
}
@keyframes move {
  to {
    transform: translateX(150%);
  }
}
.news {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: 0;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) {
  .share {
    transition: none;
  }
  .moving {
    width: 100%;
    border-radius: 0;
    background: repeating-linear-gradient(-45deg,
      var(--batch-progress-running, light-dark(#3558d4, #8fabff)) 0 4px, transparent 4px 12px) !important;
    animation: none;
  }
}
@media (forced-colors: active) {
  .bar {
    border: 1px solid CanvasText;
  }
  .share,
  .moving {
    forced-color-adjust: none;
    background: Highlight;
  }
  .failed {
    background: repeating-linear-gradient(-45deg, CanvasText 0 3px, Canvas 3px 5px);
  }
  .skipped {
    background: repeating-linear-gradient(90deg, GrayText 0 2px, Canvas 2px 4px);
  }
}
`;
