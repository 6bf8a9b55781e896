// Announces to screen readers each change of the state and every 25 percent of progress.

import { setText } from "./dom.js";
import { cancelReasonOf, sentence, spoken, stateOf } from "./wording.js";

const STEP_PERCENT = 25;

export class Announcer {
  constructor(place) {
    this.place = place;
    this.told = "";
  }

  tell(batch) {
    const { word } = stateOf(batch);
    const step = Math.floor(batch.percentComplete / STEP_PERCENT);
    const news = `${word} ${step}`;
    if (news === this.told) return;
    this.told = news;
    const reason = sentence(batch.stallReason || cancelReasonOf(batch));
    setText(this.place, `${word}: ${spoken(batch)}. ${reason}`.trim());
  }
}
