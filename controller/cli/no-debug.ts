// Imported first: libraries read DEBUG as they are loaded, and one of them (simple-git) would then print the environment of
// every Git command, the Authorization header of the config repository included.
delete process.env['DEBUG']
