<?php
// Stands for the extension grpc and the generated classes: each call ends as the file named as the server says.

namespace Grpc {
    const STATUS_OK = 0;
    const STATUS_CANCELLED = 1;
    const STATUS_DEADLINE_EXCEEDED = 4;
    const STATUS_PERMISSION_DENIED = 7;
    const STATUS_RESOURCE_EXHAUSTED = 8;
    const STATUS_UNIMPLEMENTED = 12;
    const STATUS_UNAVAILABLE = 14;
    const STATUS_UNAUTHENTICATED = 16;

    class ChannelCredentials
    {
        public static function createInsecure(): null
        {
            return null;
        }
    }
}

namespace BatchProgress\V1 {
    class JobOutcome
    {
        const JOB_OUTCOME_SUCCEEDED = 1;
    }

    class ReportJobResultRequest
    {
        public function __construct(public array $fields)
        {
        }

        public function getDisposition(): string
        {
            return 'calls left: ' . $this->fields['left'];
        }
    }

    class ProgressServiceClient
    {
        private array $statuses;

        public function __construct(string $server, array $options)
        {
            $this->statuses = json_decode(file_get_contents($server), true);
        }

        public function ReportJobResult(ReportJobResultRequest $request, array $metadata, array $options): static
        {
            return $this;
        }

        public function wait(): array
        {
            [$code, $details] = array_shift($this->statuses);
            $metadata = $details === '' ? [] : ['grpc-status-details-bin' => [base64_decode($details)]];
            $response = new ReportJobResultRequest(['left' => count($this->statuses)]);
            return [$response, (object) ['code' => $code, 'details' => "code $code", 'metadata' => $metadata]];
        }
    }
}
