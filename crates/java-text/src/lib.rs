//! Java's text languages, so that configurations written for Java mean the same here: regular
//! expressions (`java.util.regex`) and date patterns (`java.text.SimpleDateFormat`).
