//! The same requests to the embedded broker and to real Apache Kafka give the same error codes.
