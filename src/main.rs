//! The one program; everything lies in the library.

fn main() -> std::process::ExitCode {
    dialbridge::cli::main()
}
