//! The configurations of the interpreter, and what each passes to `configure`.

/// One configuration of the interpreter; each has its own tree and prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Flavour {
    /// CPython's default: optimised, no profile.
    Release,
    /// `--with-pydebug`: assertions on, reference totals.
    Debug,
    /// The address sanitizer, on the system's malloc.
    Asan,
    /// `--enable-optimizations`: profile-guided, slow to build.
    Pgo,
    /// The pristine source configured like `release`, to compare with.
    Unpatched,
}

impl Flavour {
    pub fn name(self) -> &'static str {
        match self {
            Flavour::Release => "release",
            Flavour::Debug => "debug",
            Flavour::Asan => "asan",
            Flavour::Pgo => "pgo",
            Flavour::Unpatched => "unpatched",
        }
    }

    pub fn configure_args(self) -> &'static [&'static str] {
        match self {
            Flavour::Release | Flavour::Unpatched => &[],
            Flavour::Debug => &["--with-pydebug"],
            // pymalloc would hide overruns from the sanitizer.
            Flavour::Asan => &["--with-address-sanitizer", "--without-pymalloc"],
            Flavour::Pgo => &["--enable-optimizations"],
        }
    }

    pub fn patched(self) -> bool {
        self != Flavour::Unpatched
    }

    /// Whether the engine's own assertions are compiled in.
    pub fn checks_engine(self) -> bool {
        matches!(self, Flavour::Debug | Flavour::Asan)
    }
}
