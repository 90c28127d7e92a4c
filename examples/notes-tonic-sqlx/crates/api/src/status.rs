//! Errors as statuses of gRPC.

use domain::{Error, Invalid};
use tonic::Status;

/// The status for a use case that failed. Failures of the service are logged, without details for the client.
pub(crate) fn from_error(error: Error) -> Status {
    match error {
        Error::NotFound => Status::not_found(error.to_string()),
        Error::Store(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "call failed");
            Status::internal("Internal error.")
        }
    }
}

/// The status for invalid input.
pub(crate) fn from_invalid(invalid: Invalid) -> Status {
    Status::invalid_argument(invalid.to_string())
}
