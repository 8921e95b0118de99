//! The 22 signatures of `fixtures/sigv4.json`, which botocore, AWS's CRT and plain hashlib code agree on.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use gateway::Body;
use gateway::bedrock::signing::{Signable, sign};
use serde_json::Value;

#[test]
fn every_vector_is_reproduced() {
    let text = include_str!("../../../fixtures/sigv4.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let vectors = document["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 22);
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().unwrap();
        let (host, target) = field("url")
            .split_once("://")
            .unwrap()
            .1
            .split_once('/')
            .unwrap();
        let headers: Vec<(String, String)> = vector["headers_in"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body_hash = Body::Unchanged.sha256_hex(field("body").as_bytes());
        assert_eq!(body_hash, field("body_sha256"));
        let credentials = Credentials::new(
            field("access_key_id"),
            field("secret_access_key"),
            vector["session_token"].as_str().map(str::to_owned),
            None,
            "test",
        );
        let signable = Signable {
            method: field("method"),
            host,
            target: &format!("/{target}"),
            headers: &headers,
            body_hash: &body_hash,
            region: field("region"),
            service: field("service"),
        };
        let now = UNIX_EPOCH + Duration::from_secs(vector["epoch"].as_u64().unwrap());
        let signed = sign(&signable, &credentials, now).unwrap();
        let value = |name| {
            signed
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(
            value("authorization"),
            Some(field("authorization")),
            "{}",
            field("name")
        );
        assert_eq!(value("x-amz-date"), Some(field("x_amz_date")));
        assert_eq!(
            value("x-amz-security-token"),
            vector["session_token"].as_str()
        );
    }
}
