use std::path::*;
pub enum TaskChange {
    Put { id: String, path: PathBuf, record: String },
    Remove { id: String, path: PathBuf },
}
pub struct Undelivered(pub String);
pub trait Sink: Send + 'static {
    fn deliver(&mut self, changes: Vec<TaskChange>) -> Result<(), Undelivered>;
}
pub struct Follower;
impl Follower {
    pub fn start(
        _s: argus_config::Source,
        _k: Vec<(String, String)>,
        _sink: impl Sink,
    ) -> std::io::Result<Follower> {
        Ok(Follower)
    }
    pub fn sync(&self) -> std::sync::mpsc::Receiver<Result<(), String>> {
        std::sync::mpsc::channel().1
    }
    pub fn reassert(&self, _i: Vec<(String, Option<String>)>) {}
    pub fn status(&self) -> argus_proto::method::SourceStatus {
        Default::default()
    }
}
pub struct Contents {
    pub metadata: String,
    pub script: Option<String>,
    pub input_schema: Option<String>,
    pub output_schema: Option<String>,
    pub checksum: String,
}
pub fn contents(_s: &argus_config::Source, _f: &Path) -> Result<Contents, String> {
    Err(String::new())
}
