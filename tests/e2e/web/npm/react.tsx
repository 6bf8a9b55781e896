import type { ReactNode } from "react";

export function Import({ token }: { token: string }): ReactNode {
  return (
    <batch-progress
      src="https://progress.example"
      batchId={["import-1", "import-2"]}
      token={token}
      words={{ running: "Läuft" }}
      className="bar"
      ref={(bar) => console.log(bar?.totals.percent)}
      onprogress={({ detail }) => console.log(detail.batch.revision.length)}
      ontoken-expiring={({ detail }) => console.log(detail.batchId)}
    >
      <strong slot="name">Import</strong>
    </batch-progress>
  );
}

// @ts-expect-error there is no such property
export const wrong = <batch-progress batch="import-1" />;
