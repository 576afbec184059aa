//! stub
use std::sync::Arc;
/// stub
pub fn openapi_json() -> String { String::new() }
/// stub
pub fn serve(l: std::net::TcpListener, s: Arc<crate::engine::service::Service>, m: crate::telemetry::Metrics, _all: bool) -> Result<actix_web::dev::Server, crate::fault::Fault> {
    let _ = (s, m);
    Ok(actix_web::HttpServer::new(actix_web::App::new).listen(l).map_err(|e| crate::fault::Fault::internal(e.to_string()))?.run())
}
