-- How much a route told within a day is counted at each run that has something to tell.
CREATE INDEX write_back_attempts_done ON write_back_attempts (route, at) WHERE outcome = 'done';
